# Login shells start with a PATH of Debian's own: add what the user installs at run time.
case ":$PATH:" in
    *":$HOME/.npm-global/bin:"*) ;;
    *) PATH=$PATH:$HOME/.npm-global/bin ;;
esac
